"""Prints and scans: cut from their plate, cleaned, mended, toned, enlarged."""
