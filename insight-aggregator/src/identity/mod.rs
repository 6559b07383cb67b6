//! The end of a flow becomes who it was.
