"""Long work of campaigns, done by workers and shown as jobs."""
