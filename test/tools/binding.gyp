{
  # The hosted CI builds it with "node-gyp rebuild"; scripts/windows/build.mjs with mingw-w64.
  "targets": [
    {
      "target_name": "windows_tool",
      "type": "executable",
      "sources": ["windows_tool.cc"],
      "defines": ["UNICODE", "NOMINMAX", "WIN32_LEAN_AND_MEAN"],
      "libraries": ["-ladvapi32", "-luser32"],
      "win_delay_load_hook": "false",
      "msvs_settings": {
        "VCCLCompilerTool": { "AdditionalOptions": ["/std:c++17"], "WarningLevel": 4 }
      }
    }
  ]
}
