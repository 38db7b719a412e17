"""Caches that providers of continuous integration keep, by what their lists say of them."""
