/*
 * Runs a fuzz target over files: the corpus as a regression test, with any compiler.
 *
 * Usage: fuzz_NAME FILE-OR-DIRECTORY...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    struct stat status;
    uint8_t *data = fstat(fileno(file), &status) == 0 ? malloc((size_t)status.st_size + 1) : NULL;
    size_t size = data ? fread(data, 1, (size_t)status.st_size, file) : 0;
    fclose(file);
    if (!data)
        return 1;
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

static int run_directory(const char *path, size_t *count)
{
    DIR *directory = opendir(path);
    if (!directory)
        return ++*count, run_file(path);
    int failed = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.')
            continue;
        char file[4096];
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        failed |= run_file(file);
        ++*count;
    }
    closedir(directory);
    return failed;
}

int main(int count, char **arguments)
{
    size_t files = 0;
    int failed = 0;
    for (int i = 1; i < count; i++)
        failed |= run_directory(arguments[i], &files);
    printf("replayed %zu files\n", files);
    return failed || files == 0;
}
