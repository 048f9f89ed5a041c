/* http_date: the dates of HTTP (RFC 9110 section 5.6.7): IMF-fixdate, RFC 850 and
 * asctime forms. Must never ask the system for its clock, time zone or locale. */
#include "core/http.h"

#include <string.h>

typedef struct parts {
    int year, month, day, hour, minute, second;
} parts;

/* Days since 1970-01-01 in the Gregorian calendar, without a table of leap years. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month)
{
    static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* n digits at text.p[at]; -1 when they are not. */
static int digits(ag_view text, size_t at, size_t n)
{
    int value = 0;
    size_t i;
    for (i = at; i < at + n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
        value = value * 10 + (text.p[i] - '0');
    }
    return value;
}

/* 1..12, or 0. */
static int month_of(const char *p)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int i;
    for (i = 0; i < 12; i++)
        if (memcmp(p, names + 3 * i, 3) == 0)
            return i + 1;
    return 0;
}

/* Does text look like the pattern? 9: a digit, a: a letter, all else to the letter. */
static bool looks_like(ag_view text, const char *pattern)
{
    size_t i;
    if (text.n != strlen(pattern))
        return false;
    for (i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool digit = c >= '0' && c <= '9';
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (pattern[i] == '9' ? !digit : pattern[i] == 'a' ? !letter : c != pattern[i])
            return false;
    }
    return true;
}

static void read_time(ag_view text, size_t at, parts *d)
{
    d->hour = digits(text, at, 2);
    d->minute = digits(text, at + 3, 2);
    d->second = digits(text, at + 6, 2);
}

static bool read_imf(ag_view text, parts *d)
{
    if (!looks_like(text, "aaa, 99 aaa 9999 99:99:99 GMT"))
        return false;
    d->day = digits(text, 5, 2);
    d->month = month_of(text.p + 8);
    d->year = digits(text, 12, 4);
    read_time(text, 17, d);
    return true;
}

static bool read_rfc850(ag_view text, parts *d)
{
    const char *comma = memchr(text.p, ',', text.n);
    size_t skip = comma == NULL ? 0 : (size_t)(comma - text.p);
    if (skip < 6 || skip > 9)
        return false;
    text.p += skip;
    text.n -= skip;
    if (!looks_like(text, ", 99-aaa-99 99:99:99 GMT"))
        return false;
    d->day = digits(text, 2, 2);
    d->month = month_of(text.p + 5);
    d->year = digits(text, 9, 2);
    d->year += d->year < 70 ? 2000 : 1900;     /* no clock here to say 'within 50 years' */
    read_time(text, 12, d);
    return true;
}

static bool read_asctime(ag_view text, parts *d)
{
    if (!looks_like(text, "aaa aaa 99 99:99:99 9999") && !looks_like(text, "aaa aaa  9 99:99:99 9999"))
        return false;
    d->day = text.p[8] == ' ' ? digits(text, 9, 1) : digits(text, 8, 2);
    d->month = month_of(text.p + 4);
    read_time(text, 11, d);
    d->year = digits(text, 20, 4);
    return true;
}

bool ag_http_date(ag_view text, int64_t *unix_s)
{
    parts d;
    if (text.n == 0)
        return false;
    if (!read_imf(text, &d) && !read_asctime(text, &d) && !read_rfc850(text, &d))
        return false;
    if (d.year < 1 || d.month == 0 || d.day < 1 || d.day > days_in(d.year, d.month))
        return false;
    if (d.hour > 23 || d.minute > 59 || d.second > 60)
        return false;
    *unix_s = days_of(d.year, d.month, d.day) * 86400 + d.hour * 3600 + d.minute * 60 + d.second;
    return true;
}
