//! Pieces between two machines, over QUIC or TLS.
