/* verify_openssl: what OpenSSL needs to check one signature, with the key at hand: told "NAME ROUNDS" line by line, it
 * prints the nanoseconds of CPU time per check, by EVP_DigestVerify (name "digest") and by a kept EVP_PKEY_CTX with a kept digest
 * (name "kept", the least that OpenSSL can be asked to do). Arguments: the key's PEM file, the signed text's, the signature's. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned char text[16384], sig[1024], digest[64];
static size_t text_n, sig_n;
static EVP_PKEY *key;
static EVP_PKEY_CTX *kept;
static EVP_MD_CTX *hash;
static EVP_MD *md;

static size_t load(const char *path, void *to, size_t room)
{
    FILE *f = fopen(path, "rb");
    size_t n;
    if (f == NULL)
        exit(1);
    n = fread(to, 1, room, f);
    fclose(f);
    return n;
}

static int by_digest(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 && EVP_DigestVerify(ctx, sig, sig_n, text, text_n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static int by_kept(void)
{
    unsigned n = 0;
    return EVP_DigestInit_ex2(hash, md, NULL) == 1 && EVP_DigestUpdate(hash, text, text_n) == 1
        && EVP_DigestFinal_ex(hash, digest, &n) == 1 && EVP_PKEY_verify(kept, sig, sig_n, digest, n) == 1;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    char name[32];
    int rounds, i;
    FILE *f = argc == 4 ? fopen(argv[1], "r") : NULL;
    if (f == NULL || (key = PEM_read_PUBKEY(f, NULL, NULL, NULL)) == NULL)
        return 1;
    fclose(f);
    text_n = load(argv[2], text, sizeof text);
    sig_n = load(argv[3], sig, sizeof sig);
    md = EVP_MD_fetch(NULL, "SHA256", NULL);
    hash = EVP_MD_CTX_new();
    kept = EVP_PKEY_CTX_new(key, NULL);
    if (EVP_PKEY_verify_init(kept) != 1 || EVP_PKEY_CTX_set_signature_md(kept, md) != 1 || !by_kept() || !by_digest())
        return 1;
    while (scanf("%31s %d", name, &rounds) == 2) {
        double began = now();
        int good = 1;
        for (i = 0; i < rounds; i++)
            good &= strcmp(name, "kept") == 0 ? by_kept() : by_digest();
        if (!good)
            return 1;
        printf("%.1f\n", (now() - began) / rounds);
        fflush(stdout);
    }
    return 0;
}
