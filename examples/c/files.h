/* The files of a case and of a trace: a JSON reader that suffices for case.json, and plain .npy arrays. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef UNSUPPORTED
#define UNSUPPORTED 3
#endif
#define SHAPE(...) (const long[]){__VA_ARGS__, 0} /* no axis is empty, so 0 ends the list */

static void stop(int code, const char *format, va_list arguments)
{
    char line[1024];
    vsnprintf(line, sizeof line, format, arguments);
    for (char *p = line; *p != '\0'; p++)
        if ((unsigned char)*p < ' ') *p = ' ';
    fprintf(stderr, "%s: %s\n", PROGRAM, line);
    exit(code);
}

/* Prints one line that says what was expected and what came; exit code 2. */
static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    stop(2, format, arguments);
}

/* The same for a valid case that this program does not support; exit code 3 unless the program has another. */
static void unsupported(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    stop(UNSUPPORTED, format, arguments);
}

static void *room(double count, size_t size)
{
    void *memory = count < 1e12 ? calloc((size_t)count, size) : NULL;
    if (memory == NULL) fail("memory: expected room for %.0f numbers, got none", count);
    return memory;
}

static FILE *open_file(const char *folder, const char *name, const char *mode)
{
    char path[4096];
    FILE *f = NULL;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path) f = fopen(path, mode);
    if (f == NULL) fail("%s/%s: expected a file to %s, got none", folder, name, *mode == 'r' ? "read" : "write");
    return f;
}

static long size_of(FILE *f)
{
    if (fseek(f, 0, SEEK_END) != 0) return -1;
    return ftell(f);
}

/* ---- JSON.  A value is a pointer into the text, at the value's first character; NULL if there is none. ---- */

static char *read_text(const char *folder, const char *name)
{
    FILE *f = open_file(folder, name, "rb");
    long size = size_of(f);
    char *text = room(size < 0 ? 1 : (double)size + 1, 1);
    rewind(f);
    if (size < 0 || fread(text, 1, (size_t)size, f) != (size_t)size || strlen(text) != (size_t)size)
        fail("%s: expected a text, got something unreadable", name);
    fclose(f);
    return text;
}

static const char *blank(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') p++;
    return p;
}

/* p at a quote; returns the quote that closes the string. */
static const char *closing(const char *p)
{
    for (p++; *p != '"'; p++) {
        if (*p == '\\' && p[1] != '\0') p++;
        if (*p == '\0') fail("case.json: expected JSON, got a text that ends too soon");
    }
    return p;
}

/* The comma or bracket that follows the value at p. */
static const char *past(const char *p)
{
    for (int depth = 0;; p++) {
        if (*p == '\0') fail("case.json: expected JSON, got a text that ends too soon");
        if (*p == '"') p = closing(p);
        else if (*p == '{' || *p == '[') depth++;
        else if ((*p == '}' || *p == ']') && depth-- == 0) return p;
        else if (*p == ',' && depth == 0) return p;
    }
}

/* Steps through an object: p at its '{' or past a value; returns the next value and sets its name, or NULL. */
static const char *next_member(const char *p, const char **name, size_t *length)
{
    char before = *p;
    p = blank(p + (before == '{' || before == ','));
    if (*p == '}' && before != ',') return NULL;
    if (*p != '"' || (before != '{' && before != ',')) fail("case.json: expected a JSON object, got: %.20s", p);
    *name = p + 1;
    p = closing(p);
    *length = (size_t)(p - *name);
    p = blank(p + 1);
    if (*p != ':') fail("case.json: expected \"key\": value, got: %.20s", *name - 1);
    return blank(p + 1);
}

static int same(const char *name, size_t length, const char *text)
{
    return strlen(text) == length && memcmp(name, text, length) == 0;
}

/* The value of `key` in an object, or NULL. */
static const char *member(const char *object, const char *key)
{
    const char *name, *p = object;
    size_t length;
    while ((p = next_member(p, &name, &length)) != NULL) {
        if (same(name, length, key)) return p;
        p = past(p);
    }
    return NULL;
}

/* Element k of an array, or NULL. */
static const char *element(const char *array, int k)
{
    const char *p = blank(array + 1);
    if (*array != '[') fail("layers: expected a JSON array, got: %.20s", array);
    for (; *p != ']' && k > 0; k--) {
        p = past(p);
        if (*p == ',') p = blank(p + 1);
        else if (*p != ']') fail("layers: expected a JSON array, got: %.20s", array);
    }
    return *p == ']' ? NULL : p;
}

/* Refuses unknown keys, which may ask for something that this program does not support; keys is " a b c ". */
static void known_keys(const char *object, const char *keys)
{
    const char *name, *p = object;
    char key[64];
    size_t length;
    while ((p = next_member(p, &name, &length)) != NULL) {
        snprintf(key, sizeof key, " %.*s ", (int)(length < 60 ? length : 60), name);
        if (strstr(keys, key) == NULL) fail("JSON: expected only keys that this program knows, got%s", key);
        p = past(p);
    }
}

static double json_number(const char *object, const char *key, double otherwise)
{
    const char *p = member(object, key);
    char *end;
    if (p == NULL) return otherwise;
    double x = strtod(p, &end);
    if (end == p || *p == 'n' || *p == 'N' || *p == 'i' || *p == 'I' || !isfinite(x))
        fail("%s: expected a number, got %.20s", key, p);
    return x;
}

/* An integer from least to most; if otherwise < 0, the key must be there. */
static long json_integer(const char *object, const char *key, long least, double most, long otherwise)
{
    double x = json_number(object, key, (double)otherwise);
    if (x != floor(x) || x < (double)least || x > most)
        fail("%s: expected an integer from %ld to %.0f, got %g", key, least, most, x);
    return (long)x;
}

/* The index of the value of `key` in names, which end with NULL; true and false are names, too. */
static int json_choice(const char *object, const char *key, const char *const names[], int otherwise)
{
    const char *p = member(object, key);
    if (p == NULL && otherwise >= 0) return otherwise;
    if (p == NULL) fail("%s: expected a value, got none", key);
    const char *end = *p == '"' ? closing(p) : past(p);
    const char *name = *p == '"' ? p + 1 : p;
    while (*p != '"' && end > name && isspace((unsigned char)end[-1])) end--;
    for (int k = 0; names[k] != NULL; k++)
        if (same(name, (size_t)(end - name), names[k])) return k;
    unsupported("%s: expected a value that this program supports, got %.*s", key, (int)strcspn(name, "\",}\n"), name);
    return -1;
}

/* ---- .npy: the magic string, a version, the header's length, the header (a Python literal), then raw numbers. ---- */

static double count_of(const long shape[])
{
    double count = 1;
    for (int k = 0; shape[k] != 0; k++) count *= (double)shape[k];
    return count;
}

/* "(3, 4)", or "(3,)" for one axis: as Python writes a shape. */
static void write_shape(char *text, size_t size, const long shape[])
{
    size_t at = (size_t)snprintf(text, size, "(");
    for (int k = 0; shape[k] != 0; k++)
        at += (size_t)snprintf(text + at, size - at, k == 0 ? "%ld" : ", %ld", shape[k]);
    snprintf(text + at, size - at, shape[1] == 0 ? ",)" : ")");
}

/* Reads the header at the start of f into text. */
static void read_header(FILE *f, const char *name, char *text, size_t size)
{
    unsigned char pre[12];
    size_t length = 0;
    if (fread(pre, 1, 10, f) == 10 && memcmp(pre, "\x93NUMPY", 6) == 0) {
        if (pre[6] == 1) length = pre[8] + 256u * pre[9];
        if (pre[6] == 2 && fread(pre + 10, 1, 2, f) == 2)
            length = pre[8] + 256u * pre[9] + 65536u * pre[10] + 16777216u * (size_t)pre[11];
    }
    if (length == 0 || length >= size || fread(text, 1, length, f) != length)
        fail("%s: expected a .npy file of version 1.0 or 2.0, got something else", name);
    text[length] = '\0';
}

/* One little-endian number, as a double. */
static double decode(const char *type, const unsigned char *raw)
{
    float f4;
    double f8;
    int32_t i4;
    int64_t i8;
    if (strcmp(type, "<f4") == 0) return memcpy(&f4, raw, 4), (double)f4;
    if (strcmp(type, "<f8") == 0) return memcpy(&f8, raw, 8), f8;
    if (strcmp(type, "<i4") == 0) return memcpy(&i4, raw, 4), (double)i4;
    if (strcmp(type, "<i8") == 0) return memcpy(&i8, raw, 8), (double)i8;
    return raw[0]; /* |u1, |b1 */
}

/* The array folder/name of exactly this shape and one of these types (" <f4 |u1 "), as doubles, all finite. */
static double *read_array(const char *folder, const char *name, const char *types, const long shape[])
{
    char header[1024], expected[128], type[6] = "";
    FILE *f = open_file(folder, name, "rb");
    read_header(f, name, header, sizeof header);
    write_shape(expected, sizeof expected, shape);
    const char *descr = strstr(header, "'descr': '"), *order = strstr(header, "'fortran_order': False");
    const char *shape_at = strstr(header, "'shape': ");
    if (descr == NULL || shape_at == NULL) fail("%s: expected a plain .npy header, got something else", name);
    snprintf(type, sizeof type, " %.3s ", descr + 10);
    if (strstr(types, type) == NULL) fail("%s: expected type%s, got%s", name, types, type);
    if (order == NULL) fail("%s: expected C order (last axis fastest), got something else", name);
    if (strncmp(shape_at + 9, expected, strlen(expected)) != 0)
        fail("%s: expected shape %s, got %.*s", name, expected, (int)strcspn(shape_at + 9, ")") + 1, shape_at + 9);

    type[4] = '\0'; /* " <f4" */
    size_t size = (size_t)(type[3] - '0');
    double count = count_of(shape);
    long start = ftell(f), there = size_of(f) - start;
    if ((double)there != count * (double)size)
        fail("%s: expected %.0f bytes of numbers, got %ld", name, count * (double)size, there);
    unsigned char *raw = room(count, size);
    double *x = room(count, sizeof *x);
    fseek(f, start, SEEK_SET);
    if (fread(raw, size, (size_t)count, f) != (size_t)count) fail("%s: expected numbers, got a read error", name);
    for (size_t k = 0; k < (size_t)count; k++) {
        x[k] = decode(type + 1, raw + k * size);
        if (!isfinite(x[k])) fail("%s: expected finite numbers, got NaN or infinity", name);
    }
    free(raw);
    fclose(f);
    return x;
}

/* A new .npy file of this shape, its numbers still to be appended; size is 4 or 8 bytes a number. */
static FILE *new_array(const char *folder, const char *name, int size, const long shape[])
{
    char text[128], header[256];
    FILE *f = open_file(folder, name, "wb");
    write_shape(text, sizeof text, shape);
    snprintf(header, sizeof header, "{'descr': '<f%d', 'fortran_order': False, 'shape': %s, }", size, text);
    fprintf(f, "\x93NUMPY%c%c%c%c%-117s\n", 1, 0, 118, 0, header); /* 10 + 118 bytes: a multiple of 64 */
    return f;
}

static void append(FILE *f, const char *name, int size, double x)
{
    float narrow = (float)x;
    if (!isfinite(x)) fail("%s: expected finite numbers, got one that left the range", name);
    if (fwrite(size == 4 ? (void *)&narrow : (void *)&x, (size_t)size, 1, f) != 1)
        fail("%s: expected a file to write, got an error", name);
}
