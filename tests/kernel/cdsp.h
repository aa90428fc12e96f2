// SPDX-License-Identifier: MIT
/*
 * What tests of FastRPC through the broker share: a DSP "cdsp" in the guest, its files, and
 * policies for it. As in the harness, what fails ends the test.
 */
#ifndef DSP_CDSP_H
#define DSP_CDSP_H

#include "tests/kernel/cdsp_driver.h"
#include "tests/kernel/testbed.h"

/* A policy whose device cdsp finds its shell files and its modules where cdsp_files() puts them;
 * @more are further keys of the device, @domains is a list of protection domains' profiles, @rules
 * of rules; each may be "". Whichever driver has the DSP is used. */
#define CDSP_FILES   "/run/cdsp"
#define CDSP_SHELLS  CDSP_FILES "/shells"
#define CDSP_MODULES CDSP_FILES "/modules"
#define CDSP_POLICY(more, domains, rules)                                                    \
	"{\"version\": 1, \"devices\": [{\"name\": \"cdsp\", "                               \
	"\"shells\": [\"" CDSP_SHELLS "\"], \"modules\": [\"" CDSP_MODULES "\"]" more "}], " \
	"\"domains\": [" domains "], \"rules\": [" rules "]}"
#define CDSP_ALLOW_ALL CDSP_POLICY("", "", ALLOW("everybody", EVERYBODY, "\"*/*\"", ""))
/* Everything, and in domains as @keys say, such as ", \"memory\": \"1M\"". */
#define CDSP_ALLOW_IN(keys)                                   \
	CDSP_POLICY("", "{\"name\": \"the-domain\"" keys "}", \
		ALLOW("everybody", EVERYBODY, "\"*/*\"", ", \"domain\": \"the-domain\""))

/* By a shell; it must do well. */
void cdsp_run(const char *command);
/* Its shell files, signed and unsigned, and copies of the software DSP's modules. */
void cdsp_files(void);
/* The remote processor serves FastRPC, and the driver's nodes come; and go. */
void cdsp_up(void);
void cdsp_down(void);
/* It stands still: to be done before it goes without a word, by whatever means. */
void cdsp_freeze(void);
/* A subsystem restart: both. */
void cdsp_restart(void);

/* A number that the remote processor counts (fastrpc-count NAME), and a fault that it is to have.
 */
uint64_t cdsp_count(const char *name);
void cdsp_fault(const char *name, uint32_t value);

#endif
