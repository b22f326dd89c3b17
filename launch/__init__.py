"""Starts a job here, on SLURM, on Cloud TPU VMs or on Kubernetes."""
