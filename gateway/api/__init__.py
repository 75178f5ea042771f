"""The HTTP API and the pages for staff and engineers."""
