"""Journals, state stores and session stores."""
