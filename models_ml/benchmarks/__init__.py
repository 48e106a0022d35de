"""Workloads of models against their limits, each line beside a peer in the same run."""
