namespace Garden;

/// <summary>A safetensors file or its index is damaged, cut or hostile, or does not hold what was asked for. The message names the file and the field.</summary>
public sealed class SafetensorsException : GardenException
{
    /// <summary>What is wrong with the file at <paramref name="path"/>.</summary>
    public SafetensorsException(string path, string reason, Exception? innerException = null)
        : base($"{path}: {reason}", innerException) => Path = path;

    /// <summary>The file.</summary>
    public string Path { get; }
}
