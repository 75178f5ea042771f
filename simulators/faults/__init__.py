"""What lies between devices and gateway, and what can go wrong there."""
