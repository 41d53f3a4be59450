//! Who is there, and who has what.
