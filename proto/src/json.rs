//! The graph's JSON: the same from HTTP and from the command line.
