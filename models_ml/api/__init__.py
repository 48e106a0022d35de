"""Models, predictions and demand for integrators."""
