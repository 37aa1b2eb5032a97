"""What Galaxy itself loads of Brain Gateway; needs nothing but Galaxy and the standard library."""
