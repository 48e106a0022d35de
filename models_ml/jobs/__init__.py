"""Long work of models: a module for each kind, named in `marketing.pipeline`."""
