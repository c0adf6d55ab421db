"""Plotly figures from analysis results; no Streamlit here."""
