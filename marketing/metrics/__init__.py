"""/metrics: what a monitoring system reads, in the text format of Prometheus."""
