"""Methods of pictures of defects, and patches for methods of any kind."""
