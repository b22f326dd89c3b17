gcloud compute tpus tpu-vm create ped2 --accelerator-type=v5litepod-16 --version=v2-alpha-tpuv5-lite --spot --zone=us-west4-a --project=vision
