//! The topology compiler: one KDL file in, every Prometheus, Thanos and Kubernetes file out.
