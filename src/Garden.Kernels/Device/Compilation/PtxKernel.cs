namespace Garden.Kernels.Compilation;

/// <summary>A compiled kernel as text for the driver's compiler.</summary>
/// <param name="Name">The C# method with its type arguments.</param>
/// <param name="EntryPoint">The entry in the text.</param>
/// <param name="Text">The module.</param>
internal sealed record PtxKernel(string Name, string EntryPoint, string Text);
