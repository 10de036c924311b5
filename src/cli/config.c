/*
 * chapar config check|show
 */
#include "cli/cli_priv.h"

#include <stdio.h>

int verb_config_check(struct invocation *invocation)
{
    struct config *config = NULL;
    if (!arguments_finish(invocation, find_verb("config", "check"), 0))
        return EXIT_USAGE;
    int status = load_config(invocation, &config);
    if (!status && !invocation->json)
        printf("%s: no problem found\n", config->path);
    if (!status && invocation->json)
        status = print_json(json_pack("{s:s, s:b}", "path", config->path, "valid", 1));
    config_free(&config);
    return status;
}

static json_t *value_json(const struct config *config, const struct config_option *option)
{
    const char *field = (const char *)config + option->offset;
    switch (option->type) {
    case CONFIG_TYPE_STRING:
        return json_string(*(char *const *)(const void *)field);
    case CONFIG_TYPE_NUMBER:
        return json_integer(*(const int64_t *)(const void *)field);
    case CONFIG_TYPE_BOOL:
        return json_boolean(*(const bool *)field);
    default:
        break;
    }
    const struct config_list *list = (const struct config_list *)(const void *)field;
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->items[i]));
    return array;
}

static int show_json(const struct config *config)
{
    json_t *object = json_object();
    for (const struct config_option *option = config_options; option->name; option++)
        json_object_set_new(object, option->name,
                            json_pack("{s:o, s:s, s:s}", "value", value_json(config, option),
                                      "default", option->default_text, "help", option->help));
    return print_json(object);
}

static int show_text(const struct config *config)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    for (const struct config_option *option = config_options; option->name; option++) {
        buffer_append_format(&text, "# %s", option->help);
        if (option->type == CONFIG_TYPE_NUMBER)
            buffer_append_format(&text, " (%lld to %lld)", (long long)option->minimum,
                                 (long long)option->maximum);
        buffer_append_format(&text, "\n# default: %s\n%s = ",
                             *option->default_text ? option->default_text : "not set",
                             option->name);
        config_format(config, option, &text);
        buffer_append_string(&text, "\n\n");
    }
    fwrite(text.data, 1, text.size, stdout);
    buffer_release(&text);
    return EXIT_DONE;
}

int verb_config_show(struct invocation *invocation)
{
    struct config *config = NULL;
    if (!arguments_finish(invocation, find_verb("config", "show"), 0))
        return EXIT_USAGE;
    int status = load_config(invocation, &config);
    if (status)
        return status;
    status = invocation->json ? show_json(config) : show_text(config);
    config_free(&config);
    return status;
}
