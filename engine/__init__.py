"""Layerlab's engine: networks as documents, compiled and trained with torch. Headless."""
