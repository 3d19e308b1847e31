namespace Garden.Kernels.Native;

/// <summary>The options of the driver's compiler that Garden sets.</summary>
internal enum CUjit_option
{
    CU_JIT_ERROR_LOG_BUFFER = 5,
    CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
}
