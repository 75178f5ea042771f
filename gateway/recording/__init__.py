"""The open export form of what a gateway took in: written, read, and freed of what is personal."""
