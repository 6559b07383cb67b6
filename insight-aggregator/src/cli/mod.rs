//! The program's verbs: `serve`, and the readers `graph`, `watch` and `edge`, which are clients of the same API.
