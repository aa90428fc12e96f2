// SPDX-License-Identifier: MIT
#include "tests/bench/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/peer.h"
#include "tests/bench/sample.h"
#include "tests/bench/service.h"

#define MACHINE_ID "00000000000000000000000000000001" /* it wants some; nobody asks for it */

/* dbus-daemon(1): reads a file, and prints its address when it listens. */

static const char configuration[] =
	"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
	" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
	"<busconfig>\n"
	"  <listen>unix:path=%s</listen>\n"
	"  <auth>EXTERNAL</auth>\n"
	"  <policy context=\"default\">\n"
	"    <allow user=\"*\"/>\n"
	"    <allow own=\"*\"/>\n"
	"    <allow send_destination=\"*\"/>\n"
	"    <allow receive_sender=\"*\"/>\n"
	"  </policy>\n"
	"</busconfig>\n";

static void write_configuration(const struct bus *bus, char option[128])
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/bus.conf", bus->directory);
	snprintf(option, 128, "--config-file=%s", path);
	file = fopen(path, "we");
	must(file ? 0 : -errno, path);
	fprintf(file, configuration, bus->socket);
	must(fclose(file) == 0 ? 0 : -errno, path);
}

/* In the child: what it complains of, such as how many descriptors it may have, does not concern
 * us. */
static void redirect_messages(const struct bus *bus)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/log", bus->directory);
	fd = must_errno(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), path);
	must_errno(dup2(fd, STDERR_FILENO), "dup2");
}

static int run_dbus_daemon(struct bus *bus, const char *program)
{
	pid_t benchmark = getpid();
	char option[128], address[256];
	int said[2];
	ssize_t n;

	write_configuration(bus, option);
	must_errno(pipe2(said, O_CLOEXEC), "pipe");
	bus->pid = must_errno(fork(), "fork");
	if (bus->pid == 0) {
		peer_follow(benchmark);
		must_errno(dup2(said[1], STDOUT_FILENO), "dup2");
		redirect_messages(bus);
		execl(program, "dbus-daemon", option, "--nofork", "--nopidfile", "--print-address",
			NULL);
		must(-errno, program);
	}
	close(said[1]);
	n = read(said[0], address, sizeof(address));
	close(said[0]);
	return n > 0 ? 0 : -ECHILD;
}

/*
 * dbus-broker(1): has no configuration but what a controller tells it over a socket, in D-Bus. Its
 * own controller, dbus-broker-launch, wants systemd; so we are one. It is told where to listen, and
 * a policy, of which the types say:
 *
 *   for each user (all): may he connect; names that may be owned; what may be sent; and received
 *   for ranges of groups: the same; SELinux contexts of names; AppArmor; the kind of bus
 *
 * with a verdict and a priority for each rule.
 */
#define RULES_TYPE  "(bta(btbs)a(btssssuutt)a(btssssuutt))"
#define POLICY_TYPE "(a(u" RULES_TYPE ")a(buu" RULES_TYPE ")a(ss)bs)"

#define ALLOW    true, (uint64_t)1
#define ANYTHING ALLOW, "", "", "", "", 0u, 0u, (uint64_t)0, UINT64_MAX

static int add_listener(struct bus *bus, int listener)
{
	sd_bus_message *message;
	int r;

	must(MIN(sd_bus_message_new_method_call(bus->controller, &message, NULL,
			 "/org/bus1/DBus/Broker", "org.bus1.DBus.Broker", "AddListener"),
		     0),
		"dbus-broker");
	must(MIN(sd_bus_message_append(message, "ohv", "/org/bus1/DBus/Listener/0", listener,
			 POLICY_TYPE, 1, UINT32_MAX, ALLOW, 1, ALLOW, true, "", 1, ANYTHING, 1,
			 ANYTHING, 0, 0, false, "session"),
		     0),
		"dbus-broker's policy");
	r = sd_bus_call(bus->controller, message, 0, NULL, NULL);
	sd_bus_message_unref(message);
	return MIN(r, 0);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int sock;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	sock = must_errno(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
	must_errno(bind(sock, (struct sockaddr *)&address, sizeof(address)), path);
	must_errno(listen(sock, 16), path);
	return sock;
}

static int run_dbus_broker(struct bus *bus, const char *program)
{
	int listener = listen_at(bus->socket), pair[2], r;
	pid_t benchmark = getpid();
	char number[16];

	must_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
		"socketpair");
	bus->pid = must_errno(fork(), "fork");
	if (bus->pid == 0) {
		peer_follow(benchmark);
		snprintf(number, sizeof(number), "%d", pair[1]);
		must_errno(fcntl(pair[1], F_SETFD, 0), "fcntl");
		redirect_messages(bus);
		execl(program, "dbus-broker", "--controller", number, "--machine-id", MACHINE_ID,
			NULL);
		must(-errno, program);
	}
	close(pair[1]);
	must(MIN(sd_bus_new(&bus->controller), 0), "sd_bus_new");
	must(MIN(sd_bus_set_fd(bus->controller, pair[0], pair[0]), 0), "sd_bus_set_fd");
	r = sd_bus_start(bus->controller);
	if (r >= 0)
		r = add_listener(bus, listener);
	close(listener);
	return MIN(r, 0);
}

/* Either. */

const struct bus_kind bus_dbus_daemon = {
	(const char *const[]){"dbus-daemon", NULL}, run_dbus_daemon};
const struct bus_kind bus_dbus_broker = {
	(const char *const[]){"dbus-broker", "peers/usr/bin/dbus-broker", NULL}, run_dbus_broker};

static bool find_in_path(char path[SERVICE_PATH_MAX], const char *program)
{
	const char *folder = getenv("PATH");

	while (folder && *folder) {
		size_t length = strcspn(folder, ":");

		snprintf(path, SERVICE_PATH_MAX, "%.*s/%s", (int)length, folder, program);
		if (length && access(path, X_OK) == 0)
			return true;
		folder += length + (folder[length] == ':');
	}
	return false;
}

static bool find(char path[SERVICE_PATH_MAX], const struct bus_kind *kind)
{
	for (const char *const *program = kind->programs; *program; program++) {
		if (!strchr(*program, '/')) {
			if (find_in_path(path, *program))
				return true;
			continue;
		}
		service_built(path, *program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

int bus_start(struct bus *bus, const struct bus_kind *kind)
{
	char program[SERVICE_PATH_MAX];
	int r;

	if (!find(program, kind))
		return -ENOENT;
	*bus = (struct bus){};
	folder_make(bus->directory);
	snprintf(bus->socket, sizeof(bus->socket), "%s/bus", bus->directory);
	r = kind->run(bus, program);
	if (r < 0) {
		folder_print_log(bus->directory);
		bus_stop(bus);
	}
	return r;
}

void bus_stop(struct bus *bus)
{
	peer_stop(bus->pid);
	sd_bus_flush_close_unref(bus->controller);
	folder_remove(bus->directory);
}

sd_bus *bus_connect(const struct bus *bus)
{
	char address[128];
	sd_bus *peer;

	snprintf(address, sizeof(address), "unix:path=%s", bus->socket);
	must(MIN(sd_bus_new(&peer), 0), "sd_bus_new");
	must(MIN(sd_bus_set_address(peer, address), 0), address);
	must(MIN(sd_bus_set_bus_client(peer, true), 0), address);
	must(MIN(sd_bus_start(peer), 0), address);
	return peer;
}
