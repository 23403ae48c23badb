"""Files of photographs: formats, metadata, TIFF, colour profiles, and files written whole."""
