//! Who this machine is to other machines: its key, its name made from it, and proof that it belongs to a group.
