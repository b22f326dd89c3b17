gcloud compute tpus tpu-vm describe ped2 '--format=value(state)' --zone=us-west4-a
gcloud compute tpus tpu-vm ssh ped2 --worker=all '--command=if grep -qs memae_job "/proc/$(cat ~/memae_job/pid 2>/dev/null)/cmdline"; then echo '"'"'job: running'"'"'
elif [ -e ~/memae_job/exit ]; then echo "job: ended with $(cat ~/memae_job/exit)"
elif [ -e ~/memae_job/pid ]; then echo '"'"'job: lost'"'"'
else echo '"'"'job: none'"'"'
fi' --zone=us-west4-a
gcloud compute tpus tpu-vm ssh ped2 --worker=0 '--command=tail -n 200 -F ~/memae_job/log' --zone=us-west4-a
gcloud compute tpus tpu-vm ssh ped2 --worker=all '--command=if grep -qs memae_job "/proc/$(cat ~/memae_job/pid 2>/dev/null)/cmdline"; then kill -TERM -- "-$(cat ~/memae_job/pid)"; fi' --zone=us-west4-a
gcloud compute tpus queued-resources delete ped2 --force --quiet --zone=us-west4-a
