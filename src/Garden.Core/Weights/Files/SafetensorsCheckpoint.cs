namespace Garden.Weights;

/// <summary>The files of a checkpoint directory, opened: tensors by name, wherever they lie. Thread-safe until it is disposed.</summary>
public sealed class SafetensorsCheckpoint : IDisposable
{
    /// <summary>The file of a checkpoint that is not sharded.</summary>
    public const string SingleFileName = "model.safetensors";

    private readonly Dictionary<string, (SafetensorsFile File, SafetensorsTensor Tensor)> _tensors = new(StringComparer.Ordinal);
    private readonly List<SafetensorsFile> _files = [];

    private SafetensorsCheckpoint(string directory) => Directory = directory;

    /// <summary>The directory.</summary>
    public string Directory { get; }

    /// <summary>The names of all tensors.</summary>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Bytes of all tensors.</summary>
    public long Length => _tensors.Values.Sum(static place => place.Tensor.Length);

    /// <summary>Opens the files that <see cref="SafetensorsIndex.FileName"/> names, or <see cref="SingleFileName"/> where there is no index.</summary>
    /// <exception cref="SafetensorsException">A file or the index is not valid, or a tensor is not in the file that the index names.</exception>
    /// <exception cref="IOException">A file cannot be opened.</exception>
    public static SafetensorsCheckpoint Open(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var checkpoint = new SafetensorsCheckpoint(directory);
        try
        {
            string indexPath = Path.Combine(directory, SafetensorsIndex.FileName);
            if (File.Exists(indexPath))
                checkpoint.OpenSharded(indexPath, SafetensorsIndex.Open(indexPath));
            else
                checkpoint.OpenSingle();
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>The file and the description of a tensor; false when the checkpoint has none of that name.</summary>
    public bool TryFind(string name, out SafetensorsFile file, out SafetensorsTensor tensor)
    {
        bool found = _tensors.TryGetValue(name, out (SafetensorsFile File, SafetensorsTensor Tensor) place);
        (file, tensor) = place;
        return found;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SafetensorsFile file in _files)
            file.Dispose();
        _files.Clear();
    }

    private void OpenSingle()
    {
        SafetensorsFile file = OpenFile(SingleFileName);
        foreach (SafetensorsTensor tensor in file.Header.Tensors)
            _tensors.Add(tensor.Name, (file, tensor));
    }

    private void OpenSharded(string indexPath, SafetensorsIndex index)
    {
        var files = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        foreach ((string name, string fileName) in index.Files)
        {
            if (!files.TryGetValue(fileName, out SafetensorsFile? file))
                files.Add(fileName, file = OpenFile(fileName));
            SafetensorsTensor tensor = file.Header.Find(name)
                ?? throw new SafetensorsException(indexPath, $"tensor \"{name}\" is said to be in {fileName}, which does not have it.");
            _tensors.Add(name, (file, tensor));
        }
    }

    private SafetensorsFile OpenFile(string name)
    {
        SafetensorsFile file = SafetensorsFile.Open(Path.Combine(Directory, name));
        _files.Add(file);
        return file;
    }
}
