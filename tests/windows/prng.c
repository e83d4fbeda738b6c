/* bcryptprimitives.dll for a Wine without one: Rust's standard library asks it for random octets. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    return length <= MAXDWORD && SystemFunction036(data, (ULONG)length);
}
