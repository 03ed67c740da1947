"""What `make check` says of params.yaml before anything runs."""
