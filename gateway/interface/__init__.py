"""The open device interface as published documents, made from the code and a folder of data a version."""
