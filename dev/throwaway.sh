# Throw-away MariaDB servers for dev/demo and dev/bench. Source it after lib.sh and after `eval "$(dev/servers mariadb)"`.
# shellcheck shell=bash
#
# Everything lives in $scratch, which goes away with the script, as do the processes whose ids are in `started`.

scratch=
started=()

# On exit: ends what was started, youngest first, and removes the scratch directory.
clean_up() {
    local at pid
    trap - INT TERM
    for ((at = ${#started[@]} - 1; at >= 0; at--)); do
        end_process "${started[at]}"
    done
    [[ -z $scratch ]] || rm -rf "$scratch"
}

make_scratch() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/relaylite-${0##*/}.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# end_process PID: politely, and after ten seconds not. It is a child of this shell.
end_process() {
    local pid=$1 tries
    kill -TERM "$pid" 2>/dev/null || return 0
    for ((tries = 0; tries < 100; tries++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s' "$port"
            return
        fi
    done
}

mariadb_base_options() {
    printf '%s\n' --no-defaults --performance-schema=OFF --skip-name-resolve
    [[ $(id -u) -ne 0 ]] || printf '%s\n' --user=root
}

# mariadb_create DIRECTORY: a data directory with the system tables; root logs in through the socket.
mariadb_create() {
    local directory=$1 share file options
    share=$("$RELAYLITE_TEST_MARIADBD" --no-defaults --verbose --help 2>/dev/null |
        awk '$1 == "character-sets-dir" {print $2}')
    share=$(dirname "$share")
    mapfile -t options < <(mariadb_base_options)
    mkdir -p "$directory/data"
    {
        printf 'CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL, @skip_auth_anonymous=1;\n'
        for file in system_tables performance_tables system_tables_data; do
            if [[ -r $share/mariadb_$file.sql ]]; then
                cat "$share/mariadb_$file.sql"
            else
                cat "$share/mysql_$file.sql"
            fi
        done
    } | "$RELAYLITE_TEST_MARIADBD" "${options[@]}" --datadir="$directory/data" --bootstrap \
        --max-allowed-packet=8M >"$directory/create.log" 2>&1 ||
        die "MariaDB could not be set up: $(tail -n 3 "$directory/create.log")"
}

# mariadb_start DIRECTORY PORT OPTION...: returns once it answers; its process id is in $mariadb_pid.
mariadb_start() {
    local directory=$1 port=$2 options
    shift 2
    mapfile -t options < <(mariadb_base_options)
    "$RELAYLITE_TEST_MARIADBD" "${options[@]}" --datadir="$directory/data" --port="$port" \
        --bind-address=127.0.0.1 --socket="$directory/socket" --pid-file="$directory/pid" "$@" \
        >>"$directory/server.log" 2>&1 </dev/null &
    mariadb_pid=$!
    started+=("$mariadb_pid")
    until mariadb_sql "$directory" -e 'SELECT 1' >/dev/null 2>&1; do
        kill -0 "$mariadb_pid" 2>/dev/null ||
            die "MariaDB did not start: $(tail -n 5 "$directory/server.log")"
        sleep 0.1
    done
}

# mariadb_sql DIRECTORY OPTION...: the stock client as root; reads statements from standard input unless -e is given.
mariadb_sql() {
    local directory=$1
    shift
    "$RELAYLITE_TEST_MARIADB" --no-defaults --socket="$directory/socket" --user=root \
        --default-character-set=utf8mb4 "$@"
}

# mariadb_position DIRECTORY: FILE:POS of the end of its binary log.
mariadb_position() {
    mariadb_sql "$1" --batch --skip-column-names -e 'SHOW MASTER STATUS' | awk '{print $1 ":" $2}'
}
