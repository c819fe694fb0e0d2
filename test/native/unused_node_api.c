// The rest of Node-API that node-addon-api's headers mention: never called here.
#include <stdio.h>
#include <stdlib.h>

#define UNUSED(name)                                        \
  void name(void) {                                         \
    fprintf(stderr, "host: " #name "() is not provided\n"); \
    abort();                                                \
  }

UNUSED(napi_create_error)
UNUSED(napi_create_object)
UNUSED(napi_create_type_error)
UNUSED(napi_define_properties)
UNUSED(napi_fatal_error)
UNUSED(napi_get_and_clear_last_exception)
UNUSED(napi_get_last_error_info)
UNUSED(napi_get_property)
UNUSED(napi_has_property)
UNUSED(napi_set_property)
UNUSED(napi_throw)
