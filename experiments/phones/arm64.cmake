# Toolchain: the worker for arm64 phones, by Debian's cross compiler. build puts the libraries where they are looked for.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(phones ${CMAKE_CURRENT_LIST_DIR}/../../build/phones)
get_filename_component(phones ${phones} ABSOLUTE)
set(CMAKE_SYSROOT ${phones}/sysroot)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH ${phones}/sysroot ${phones}/wheel/torch)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)  # what builds is the machine's own
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# LibTorch's own OpenMP for all: with two of them there would be two pools of threads.
file(GLOB libgomp ${phones}/wheel/torch.libs/libgomp-*)
set(OpenMP_gomp_LIBRARY ${libgomp} CACHE FILEPATH "")

set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)

# Its compiler tells of each call whose ABI g++ 10 changed. What nothing calls is left out of the bundle.
set(CMAKE_CXX_FLAGS_INIT "-Wno-psabi -ffunction-sections -fdata-sections")
set(CMAKE_EXE_LINKER_FLAGS_INIT -Wl,--gc-sections)
set(CMAKE_SHARED_LINKER_FLAGS_INIT -Wl,--gc-sections)
