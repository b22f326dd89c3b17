gcloud compute tpus queued-resources create ped2 --accelerator-type=v5litepod-16 --node-id=ped2 --runtime-version=v2-alpha --zone=us-west4-a
