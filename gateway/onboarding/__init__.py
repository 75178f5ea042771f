"""Devices from the first word to the last: what is asked, checked and forecast of them; pure."""
