namespace Garden.Kernels;

/// <summary>What a thread of a compiled kernel needs; zeros on the CPU accelerator.</summary>
/// <param name="Registers">Registers of a thread.</param>
/// <param name="LocalBytes">Bytes of local memory of a thread: more than 0 in a hot kernel is a defect.</param>
/// <param name="GroupsPerMultiprocessor">Groups of the default size that fit one multiprocessor.</param>
public readonly record struct KernelResources(int Registers, int LocalBytes, int GroupsPerMultiprocessor);
