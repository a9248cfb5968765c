#!/bin/sh
# A SLURM of one machine, to test with: `tools/one_machine_slurm.sh start FOLDER`, `… stop FOLDER`. Needs Debian's slurm-wlm
# and munge, and root. Its state lies in FOLDER; commands (sbatch, squeue, scancel) need SLURM_CONF=FOLDER/slurm.conf.
# Its daemons listen on all interfaces and take orders only with the key that this start drew.
set -eu
command=${1:-}
folder=${2:-}
if [ -z "$folder" ] || { [ "$command" != start ] && [ "$command" != stop ]; }; then
    echo "usage: $0 start|stop FOLDER" >&2
    exit 2
fi
export SLURM_CONF="$folder/slurm.conf" PATH="$PATH:/usr/sbin:/sbin"

stop() {
    for name in slurmd slurmctld munged; do
        if [ -f "$folder/$name.pid" ]; then
            kill "$(cat "$folder/$name.pid")" 2>/dev/null || true
            rm -f "$folder/$name.pid"
        fi
    done
    if [ -f "$folder/munge" ]; then
        rm -rf "$(cat "$folder/munge")" "$folder/munge"
    fi
}

if [ "$command" = stop ]; then
    scancel --state=RUNNING 2>/dev/null || true
    scancel --state=PENDING 2>/dev/null || true
    stop
    exit 0
fi

for program in munged slurmctld slurmd; do
    command -v "$program" >/dev/null || { echo "error: $program is missing: apt-get install slurm-wlm munge" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "error: slurmd has to be root" >&2; exit 1; }

mkdir -p "$folder/state" "$folder/spool"
host=$(hostname -s)
memory=$(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo)

# munged insists on its own user, who may not see the folder, and on a path that others cannot write.
munge=/run/munge/one_machine_$$
echo "$munge" > "$folder/munge"
install -d -o munge -g munge -m 755 /run/munge "$munge"
head -c 1024 /dev/urandom > "$munge/key"
chown munge: "$munge/key"
chmod 400 "$munge/key"
socket=$munge/socket
runuser -u munge -- munged --key-file="$munge/key" --socket="$socket" --pid-file="$munge/pid" --log-file="$munge/log" \
    --seed-file="$munge/seed"
cp "$munge/pid" "$folder/munged.pid"

cat > "$SLURM_CONF" <<EOF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$((20000 + $$ % 10000))
SlurmdPort=$((30000 + $$ % 10000))
AuthType=auth/munge
AuthInfo=socket=$socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
KillWait=2
SchedulerParameters=sched_interval=2,batch_sched_delay=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory State=UNKNOWN
PartitionName=one Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF

trap stop EXIT
slurmctld
slurmd
for _ in $(seq 40); do
    if [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; then
        trap - EXIT
        exit 0
    fi
    sleep 0.5
done
echo "error: SLURM did not come up; see $folder/*.log" >&2
exit 1
