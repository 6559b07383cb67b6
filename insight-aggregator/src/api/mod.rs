//! What readers talk to: gRPC, HTTP and Prometheus, all over one query type.
