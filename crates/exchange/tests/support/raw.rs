//! A peer that says whatever a test wants it to say.
