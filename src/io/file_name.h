/* file_name: how a client's name becomes names of files. Any name gives one that
 * is safe, and no two names give the same. Must never touch a file. */
#ifndef AG_IO_FILE_NAME_H
#define AG_IO_FILE_NAME_H

#include <stdbool.h>

#include "core/alloc.h"

/* Longest encoded name; with what is added, every system takes the file's name. */
#define AG_FILE_NAME_MAX 200
/* Room for an encoded name, what is added to it, and a NUL. */
#define AG_FILE_NAME_BUF (AG_FILE_NAME_MAX + 48)
/* Random bytes in the name of a temporary file. */
#define AG_FILE_TEMP_RANDOM 16

/* name percent-encoded: a-z, 0-9, - and _ stand for themselves, everything else,
 * capitals too (some file systems cannot tell them from small letters), is %xx.
 * false: empty, or longer than AG_FILE_NAME_MAX when encoded. */
bool ag_file_name(ag_view name, char out[AG_FILE_NAME_BUF]);

/* The names of an encoded name's three files. */
void ag_file_name_record(const char *encoded, char out[AG_FILE_NAME_BUF]);
void ag_file_name_lock(const char *encoded, char out[AG_FILE_NAME_BUF]);
void ag_file_name_temp(const char *encoded, const unsigned char random[AG_FILE_TEMP_RANDOM],
                       char out[AG_FILE_NAME_BUF]);

/* Could file be a name ag_file_name_temp made for this encoded name? */
bool ag_file_name_is_temp(const char *encoded, const char *file);

#endif
