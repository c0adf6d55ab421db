"""The compression lab."""
