"""Changes of TFLite files, and conversions to them."""
