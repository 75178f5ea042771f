"""Adapters: one package per product or protocol family; bytes in, readings out."""
